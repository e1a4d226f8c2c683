"""How well a picture shows what its layers ask for: the judge, CropCLIP and SAMIoU."""
