import difflib as difflib
import hashlib as hashlib
import shutil as shutil
import tempfile as tempfile
