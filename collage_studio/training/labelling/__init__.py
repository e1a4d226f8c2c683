"""Pictures become training data: a detector finds boxes, a captioner describes them."""
