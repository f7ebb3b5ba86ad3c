# Everything a person or CI calls. `make help` lists it.
