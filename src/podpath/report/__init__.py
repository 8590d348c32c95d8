"""Words and pictures: a diagnosis as text, JSON, SARIF and the like."""
