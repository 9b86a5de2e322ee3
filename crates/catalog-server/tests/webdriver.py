"""A browser without a window: Chromium, driven over the WebDriver protocol (W3C) by nothing but the
standard library.

With `with Browser() as browser:` it ends with the block, whatever happens in it."""

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

PATIENCE = 30.0  # seconds that anything may take on a busy machine


class Failed(Exception):
    """What was awaited did not come, or the browser refuses."""


def wait_until(what, look, patience=PATIENCE):
    """Asks until `look` returns something true, which it returns; else fails with the last."""
    deadline = time.monotonic() + patience
    while True:
        late = time.monotonic() > deadline
        try:
            seen = look()
            if seen:
                return seen
        except (Failed, OSError) as error:
            seen = error
        if late:
            raise Failed(f"waited {patience:.0f} s in vain until {what}; last seen: {seen!r}")
        time.sleep(0.05)


class Browser:
    def __init__(self, width=1280, height=900, scale=1, dark=False):
        self.folder = tempfile.mkdtemp(prefix="browser-")
        self.session = None
        # It takes a free port and says which.
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=dict(os.environ, HOME=self.folder, TMPDIR=self.folder), start_new_session=True,
        )  # fmt: skip
        try:
            self.address = f"http://127.0.0.1:{self._port()}"
            arguments = [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--hide-scrollbars", "--disable-background-networking", "--disable-component-update",
                f"--user-data-dir={self.folder}/profile",
            ]  # fmt: skip
            options = {
                "args": arguments,
                "mobileEmulation": {"deviceMetrics": {
                    "width": width, "height": height, "pixelRatio": scale, "mobile": False, "touch": False}},
            }  # fmt: skip
            wanted = {"browserName": "chrome", "goog:chromeOptions": options,
                      "goog:loggingPrefs": {"browser": "ALL"}}  # fmt: skip
            answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
            self.session = answer["sessionId"]
            scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
            self.devtools("Emulation.setEmulatedMedia", features=[scheme])
        except BaseException:
            self.close()
            raise

    def _port(self):
        found = threading.Event()
        port = []

        def read():
            # To its end, so that the driver never waits for us to read.
            for line in self.driver.stdout:
                match = re.search(r"started successfully on port (\d+)", line)
                if match:
                    port.append(int(match[1]))
                    found.set()

        threading.Thread(target=read, daemon=True).start()
        if not found.wait(PATIENCE):
            raise Failed("chromedriver does not say its port")
        return port[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.session:
            try:
                self._ask("DELETE", f"/session/{self.session}")
            except (Failed, OSError):
                pass
        # The browser is in the driver's group.
        try:
            os.killpg(self.driver.pid, 9)
        except ProcessLookupError:
            pass
        self.driver.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ask(self, method, path, body=None):
        data = None if body is None and method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.address + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=2 * PATIENCE) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise Failed(f"{value['error']}: {value['message'].splitlines()[0]}") from None

    def _do(self, method, path, body=None):
        return self._ask(method, f"/session/{self.session}{path}", body)

    def open(self, url):
        self._do("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """Runs the body of a function and returns what it returns."""
        return self._do("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, selector):
        value = self._do("POST", "/element", {"using": "css selector", "value": selector})
        return next(iter(value.values()))

    def click(self, selector):
        """As a user: it must be visible, and nothing in front of it."""
        self._do("POST", f"/element/{self.find(selector)}/click")

    def type(self, selector, text):
        """Types into what is found, after what is there."""
        self._do("POST", f"/element/{self.find(selector)}/value", {"text": text})

    def press(self, *keys):
        """Presses and releases keys, wherever the focus is."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._do("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def text(self, selector):
        """What is seen of it; `None` if it is not there."""
        return self.run("return document.querySelector(arguments[0])?.innerText ?? null", selector)

    def devtools(self, command, **parameters):
        return self._do("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def complaints(self):
        """What the browser has logged since the last time: errors of scripts, what a policy forbids,
        requests that failed."""
        return self._do("POST", "/se/log", {"type": "browser"})

    def picture(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._do("GET", "/screenshot")))
