"""What pfdcm does when things break: README.md beside this says what each file shows."""
