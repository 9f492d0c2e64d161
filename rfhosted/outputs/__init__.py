"""What a model outputs, as plain values, and how two such outputs match. No JSON, no drawing."""
