"""Owns every process of a drill, and cleans up when the controller is gone."""
