"""The benchmark: onhand against honest, hand-written rivals, in one run on one machine. See docs/benchmarks/."""
