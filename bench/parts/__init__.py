"""The parts of the bench: processes, the agent under test, metrics, legs, rows. Standard library only."""
