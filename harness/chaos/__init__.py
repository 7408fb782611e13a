"""drawproof for Chaos Toolkit: a drill, its guarantee and its audit as actions and probes.

Plain functions, named by an experiment (`module: harness.chaos.probes`); `chaos run` calls them.
"""
