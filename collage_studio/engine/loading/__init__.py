"""From a name to a family that runs: folders, single files, the hub, and where weights live."""
