"""Long searches for faults: fuzzers, torture, the model, and the tests that run a little of each."""
