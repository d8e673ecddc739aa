"""What no user runs: trainings and measurements behind the shipped models. Not part of the installed package."""
