"""The one actor that injects faults and heals them."""
