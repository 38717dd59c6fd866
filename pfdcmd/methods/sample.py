"""What the examples of the methods speak of: one study of one series of one image, of a patient who never was."""

STUDY_UID = "1.2.826.0.1.3680043.10.543.7"
SERIES_UID = "1.2.826.0.1.3680043.10.543.7.1"
PATIENT_ID = "98890234"
STUDY_DATE = "20200102"
JOB = "4f2a91c07d3e5b18"
