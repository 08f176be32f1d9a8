//! Memory readings, pressure, leak detection, heap profiles and metrics.
