"""A library that knows no stage: architectures, weights, learners, runs, exported models."""
