"""What a person adds to a run: ControlNets, LoRAs and reference pictures."""
