"""Other libraries that warn when they are imported; here warnings are errors."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import shap

__all__ = ["shap"]
