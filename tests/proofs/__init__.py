"""Long searches for faults: two fuzzers, the kill test, the model test. The tests here run a short part of each."""
