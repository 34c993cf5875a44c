import difflib
import hashlib
import http.client as http_client
import shutil
import tempfile
import urllib.request as urllib_request

__all__ = ["difflib", "hashlib", "http_client", "shutil", "tempfile", "urllib_request"]
