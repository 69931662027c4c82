"""Federation: cities, provinces and networks speak with each other in signed envelopes."""
