"""Methods, samplers and qualities by the names they have on screen."""

METHODS = (("collage_diffusion", "Collage Diffusion"),)
SAMPLERS = (
    ("euler_a", "Euler ancestral"),
    ("dpmpp_2m", "DPM++ 2M"),
    ("ddim", "DDIM"),
)
QUALITIES = (("10", "Draft"), ("25", "Standard"), ("50", "Fine"))
"""Steps of each quality."""
