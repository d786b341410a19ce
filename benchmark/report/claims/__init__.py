"""Whether what the paper claims holds here: verdicts, orderings, forensics, anomalies."""
