"""`make manual`: write harvester/man/harvester.1 from the commands and the guide."""
