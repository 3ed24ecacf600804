"""A server on this machine that is slow, breaks off, forgets, moves or loses what it serves, as its paths say."""

import hashlib
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = bytes(range(256)) * 4000  # 1 MB
CUT = 300_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT under every path; what happens on the way is in the path's name."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.etag, self.requests = CONTENT, '"one"', []

    def address(self, path):
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_):
        """Keep the test's output clean."""

    def do_GET(self):
        path, content = self.path.strip("/"), self.server.content
        asked = self.headers.get("Range")
        self.server.requests.append((path, asked))
        if path == "gone":
            return self.send_error(404)
        if path == "busy" and len(self.server.requests) < 3:
            return self.send_error(503)
        if path == "moved":
            self.send_response(302)
            self.send_header("Location", "/whole")
            return self.end_headers()
        start = 0
        if asked and path != "forgetful" and self.headers.get("If-Range") in (None, self.server.etag):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        if start >= len(content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if path != "unmarked":
            self.send_header("ETag", self.server.etag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        first = len(self.server.requests) == 1
        cut = path == "never-whole" or (first and path in ("cut", "forgetful", "unmarked"))
        end = CUT if cut else len(content)
        for at in range(start, end, 100_000):
            self.wfile.write(content[at : min(at + 100_000, end)])
            time.sleep(0.02 if path == "slow" else 0)
