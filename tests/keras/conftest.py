import os
import sys

assert "keras" not in sys.modules, "Keras reads its backend when it is imported"
os.environ["KERAS_BACKEND"] = "torch"
