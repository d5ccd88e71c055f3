"""Wait until a server answers: python wait.py URL"""

import sys
import time
import urllib.request

for _ in range(600):
    try:
        with urllib.request.urlopen(sys.argv[1], timeout=2):
            sys.exit(0)
    except OSError:
        time.sleep(0.2)
sys.exit(f"{sys.argv[1]} does not answer; see server.log")
