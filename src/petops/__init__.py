"""petops: from an alarm on Amazon EKS to a verified recovery."""

__version__ = "0.1.0"
