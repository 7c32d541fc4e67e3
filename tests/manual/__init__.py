"""`make manual`: write man/harvester.1 from the commands and the guide."""
