# Serves the file `jwks.json` of its directory; `status` there may hold another status, `location` where it leads.
# Writes its port to the file that is named, and a line to `requests` for each request.
import http.server, os, pathlib, sys

folder = pathlib.Path(sys.argv[1])


class Keys(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(folder / "requests", "a") as log:
            log.write(self.path + "\n")
        status = folder / "status"
        code = int(status.read_text()) if status.exists() else 200
        body = (folder / "jwks.json").read_bytes()
        self.send_response(code)
        if code == 302:
            self.send_header("location", "/elsewhere")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


port = int(sys.argv[2])
http.server.ThreadingHTTPServer.allow_reuse_address = True
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Keys)
fresh = folder / "port.new"
fresh.write_text(str(server.server_address[1]))
os.rename(fresh, folder / "port")
server.serve_forever()
