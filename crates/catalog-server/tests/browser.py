"""The page of the catalog in a real browser, while services come, fail and go.

usage: browser.py CATALOG-SERVER PORT

CATALOG-SERVER is the program. What happens to the catalog happens by its HTTP API, as others would
do it; nothing reloads the page."""

import json
import signal
import subprocess
import sys
import urllib.parse
import urllib.request

from webdriver import Browser, Failed, wait_until

HOSTILE = "<img src=x onerror=hacked=1><script>hacked=1</script>&amp;\"'"
# Whether the page is hidden, as far as it knows.
SEE = """
  Object.defineProperty(document, "hidden", {value: arguments[0], configurable: true});
  document.dispatchEvent(new Event("visibilitychange"))"""
ENTER, ESCAPE, DOWN = "\ue007", "\ue00c", "\ue015"


class Catalog:
    def __init__(self, program, port):
        self.program, self.port, self.process = program, port, None
        self.url = f"http://127.0.0.1:{port}"

    def start(self):
        command = [self.program, "-http", f"127.0.0.1:{self.port}", "-dns", "off"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening on"), line

    def stop(self, number):
        self.process.send_signal(number)
        self.process.wait()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGKILL)

    def ask(self, method, path, body=None):
        data = body.encode() if isinstance(body, str) else body and json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.read().decode()

    def register(self, name, identity, **more):
        body = {"Name": name, "ID": identity, "Check": {"TTL": "1h", "CheckID": f"alive {identity}"}, **more}
        self.ask("PUT", "/v1/agent/service/register", body)

    def report(self, identity, status, output=""):
        check = urllib.parse.quote(f"alive {identity}")
        self.ask("PUT", f"/v1/agent/check/update/{check}", {"Status": status, "Output": output})

    def deregister(self, identity):
        self.ask("PUT", f"/v1/agent/service/deregister/{urllib.parse.quote(identity, safe='')}")


class Page:
    """What a user sees of the page."""

    def __init__(self, browser):
        self.browser = browser

    def row(self, name):
        """The words of a row of the list; `None` if there is none."""
        find = """
          const rows = [...document.querySelectorAll("#list .row")];
          return rows.find((row) => row.querySelector(".name").textContent === arguments[0])?.innerText ?? null"""
        return self.browser.run(find, name)

    def wait_for_row(self, name, *words):
        wait_until(f"the list shows {name!r} with {words}",
                   lambda: all(word in (self.row(name) or "") for word in words) and self.row(name))  # fmt: skip

    def wait_for(self, selector, *words):
        def look():
            text = self.browser.text(selector)
            return text is not None and all(word in text for word in words) or fail(f"{selector} shows {text!r}")

        wait_until(f"{selector} shows {words}", look)

    def wait_until_gone(self, selector):
        wait_until(f"{selector} is gone", lambda: self.browser.text(selector) is None)

    def go(self, place):
        self.browser.run("location.hash = arguments[0]", place)

    def choose(self, name):
        click = """
          const rows = [...document.querySelectorAll("#list .row")];
          rows.find((row) => row.querySelector(".name").textContent === arguments[0]).click()"""
        wait_until(f"the list has {name!r}", lambda: self.row(name) is not None)
        self.browser.run(click, name)

    def value(self):
        return self.browser.run('return document.querySelector("#value")?.value ?? null')

    def wait_for_value(self, value):
        wait_until(f"the value is {value!r}", lambda: self.value() == value or fail(f"it is {self.value()!r}"))

    def is_the_same(self):
        """It has not been loaded anew."""
        return self.browser.run("return window.marker") == "set once"


def fail(text):
    raise Failed(text)


def services_come_fail_and_go(catalog, page):
    page.wait_for("#state", "live")
    page.wait_for("#place", "dc1")
    assert page.row("web") is None
    catalog.register("web", "web-1", Tags=["v1", "blue"], Address="10.0.0.1", Port=8080, Meta={"rack": "r7"})
    page.wait_for_row("web", "0/1", "v1", "blue")
    page.wait_for("#attention", "web-1: critical")
    page.wait_for("#summary", "1 critical", "last change")
    catalog.report("web-1", "passing", "all is well")
    page.wait_for_row("web", "1/1")
    page.wait_until_gone("#attention")
    page.choose("web")
    page.wait_for('[data-instance="web-1"][data-state="passing"]', "10.0.0.1:8080", "v1", "blue", "rack", "r7")
    catalog.report("web-1", "critical", "disk full\nat 100 %")
    page.wait_for('[data-instance="web-1"][data-state="critical"] .output', "disk full\nat 100 %")
    assert page.browser.run("return document.title").startswith("(1)")
    catalog.register("web", "web-2", Address="10.0.0.2", Port=8080)
    page.wait_for('[data-instance="web-2"]', "10.0.0.2:8080")
    catalog.register("web", "web-2", Address="10.0.0.2", Port=8081)
    page.wait_for('[data-instance="web-2"]', "10.0.0.2:8081")
    catalog.report("web-2", "warning", "slow")
    page.wait_for('[data-instance="web-2"][data-state="warning"] .output', "slow")
    page.wait_for_row("web", "0/2")
    catalog.report("web-1", "passing")
    page.wait_for('[data-instance="web-1"][data-state="passing"]', "passing")
    catalog.deregister("web-1")
    page.wait_until_gone('[data-instance="web-1"]')
    catalog.deregister("web-2")
    page.wait_for("#detail", "There is no such service.")
    assert page.row("web") is None
    page.go("#/services")
    wait_until("the log tells", lambda: page.browser.text("#log"))
    told = page.browser.run('return [...document.querySelectorAll("#log li")].map((line) => line.innerText)')
    for words in [
        "web-1: appeared", "web-1: critical → passing", "web-1: passing → critical", "web-2: registered anew",
        "web-1: gone", "web-2: gone",
    ]:  # fmt: skip
        assert any(words in line for line in told), (words, told)
    assert "web-2: gone" in told[0], told


def nodes_are_shown(catalog, page):
    catalog.register("db", "db-1", Port=5432)
    page.go("#/nodes")
    nodes = json.loads(catalog.ask("GET", "/v1/catalog/nodes"))
    name = nodes[0]["Node"]
    page.choose(name)
    page.wait_for("#detail", name, nodes[0]["Address"], "db-1", "1 critical")
    catalog.ask("PUT", "/v1/agent/maintenance?enable=true&reason=new%20disk")
    page.wait_for("#detail", "maintenance", "new disk")
    page.go("#/services/db")
    page.wait_for('[data-instance="db-1"][data-state="maintenance"]', "new disk")
    catalog.ask("PUT", "/v1/agent/maintenance?enable=false")
    page.wait_for('[data-instance="db-1"][data-state="critical"]', "critical")
    catalog.deregister("db-1")


def keys_are_shown_and_changed(catalog, page):
    browser = page.browser
    kv = lambda key: json.loads(catalog.ask("GET", f"/v1/kv/{key}?keys"))  # noqa: E731
    page.go("#/keys")
    page.wait_for("#list", "There are no keys.")
    catalog.ask("PUT", "/v1/kv/app/colour", "blue")
    catalog.ask("PUT", "/v1/kv/app/deep/size", "7")
    page.wait_for_row("app/", "2")
    assert page.row("colour") is None
    page.choose("app/")
    page.choose("colour")
    page.wait_for_value("blue")
    catalog.ask("PUT", "/v1/kv/app/colour", "green")
    page.wait_for_value("green")
    # What is typed is saved, with the flags that the key has.
    catalog.ask("PUT", "/v1/kv/app/colour?flags=42", "green")
    page.wait_for("#detail", "flags 42")
    browser.type("#value", "ish\nand ü")
    browser.click("#save")
    page.wait_for(".note", "Saved.")
    assert catalog.ask("GET", "/v1/kv/app/colour?raw") == "greenish\nand ü"
    assert json.loads(catalog.ask("GET", "/v1/kv/app/colour"))[0]["Flags"] == 42
    # What another writes meanwhile is neither lost nor does it undo what is being typed.
    browser.type("#value", " mine")
    catalog.ask("PUT", "/v1/kv/app/colour", "theirs")
    page.wait_for(".note", "changed meanwhile")
    assert page.value() == "greenish\nand ü mine"
    browser.click("#undo")
    page.wait_for_value("theirs")
    # What is no text cannot be changed here.
    request = urllib.request.Request(f"{catalog.url}/v1/kv/app/colour", data=b"\xff\x00", method="PUT")
    urllib.request.urlopen(request, timeout=10).close()
    page.wait_for_value("ff 00")
    assert browser.run('return document.querySelector("#value").readOnly')
    # Deleting asks twice.
    browser.click("#delete")
    page.wait_for("#delete", "Delete it?")
    assert kv("app/colour") == ["app/colour"]
    browser.click("#delete")
    wait_until("the key is gone", lambda: page.row("colour") is None)
    assert kv("") == ["app/deep/size"]
    # A new one; not over one that is there.
    page.go("#/new-key")
    wait_until("there is a form", lambda: page.value() is not None)
    browser.type("#key", "app/deep/size")
    browser.type("#value", "new")
    browser.click("#save")
    page.wait_for(".note", "There is such a key already.")
    assert catalog.ask("GET", "/v1/kv/app/deep/size?raw") == "7"
    browser.type("#key", "/e f")
    browser.click("#save")
    page.wait_for("#detail h2", "app/deep/size/e f")
    page.wait_for_value("new")
    catalog.ask("DELETE", "/v1/kv/?recurse")
    page.wait_for("#list", "There are no keys.")
    page.wait_for(".note", "The key was deleted.")


def names_are_text(catalog, page):
    browser = page.browser
    catalog.register(HOSTILE, HOSTILE, Tags=[HOSTILE], Meta={"note": HOSTILE}, Address="host", Port=1)
    catalog.report(HOSTILE, "critical", HOSTILE)
    catalog.ask("PUT", f"/v1/kv/{urllib.parse.quote('folder/' + HOSTILE, safe='')}", HOSTILE)
    page.go("#/services")
    page.wait_for("#attention", f"{HOSTILE}: critical")
    page.wait_for("#log", HOSTILE)
    page.choose(HOSTILE)
    page.wait_for("#detail h2", HOSTILE)
    page.wait_for(".chips", HOSTILE)
    page.wait_for(".output", HOSTILE)
    page.wait_for("dd", HOSTILE)
    page.go("#/keys")
    page.choose("folder/")
    # The key's own slash makes folders of it.
    browser.type("#filter", "folder hacked")
    page.choose("folder/" + HOSTILE)
    page.wait_for_value(HOSTILE)
    browser.type("#filter", ESCAPE)
    made = browser.run('return document.querySelectorAll("main img, main script, #summary img, #tabs img").length')
    assert made == 0, made
    assert browser.run("return typeof window.hacked") == "undefined"
    catalog.deregister(HOSTILE)
    catalog.ask("DELETE", "/v1/kv/?recurse")


def keyboard_and_filter(catalog, page):
    browser = page.browser
    page.go("#/services")
    for name in ["alpha", "beta", "gamma"]:
        catalog.register(name, name, Tags=["common", f"only-{name}"])
    page.wait_for_row("gamma", "0/1")
    browser.press("/")
    focus = lambda: browser.run("return document.activeElement.id || document.activeElement.innerText")  # noqa: E731
    wait_until("the filter has the focus", lambda: focus() == "filter")
    browser.press(*"COMMON beta")
    wait_until("the filter filters", lambda: page.row("alpha") is None)
    assert page.row("beta") is not None
    browser.press(DOWN)
    wait_until("a row has the focus", lambda: focus().startswith("beta"))
    # A change elsewhere does not take the focus away.
    catalog.register("beta", "beta-0", Tags=["common"])
    page.wait_for_row("beta", "0/2")
    assert focus().startswith("beta"), focus()
    browser.press(ENTER)
    page.wait_for("#detail h2", "beta")
    browser.press("/")
    wait_until("the filter has the focus", lambda: focus() == "filter")
    browser.press(ESCAPE)
    page.wait_for_row("alpha", "0/1")
    for identity in ["alpha", "beta", "beta-0", "gamma"]:
        catalog.deregister(identity)
    wait_until("all are gone", lambda: page.row("gamma") is None)


def a_restart_is_survived(catalog, page):
    browser = page.browser
    for number in [signal.SIGKILL, signal.SIGTERM]:
        page.go("#/services")
        catalog.register("old", "old")
        catalog.ask("PUT", "/v1/kv/old", "old")
        page.wait_for_row("old", "0/1")
        page.wait_for("#tabs", "Keys 1")
        catalog.stop(number)
        page.wait_for("#state", "connection lost")
        page.wait_for("#lost", "cannot be reached", "may be old", "Next try in")
        assert page.row("old") is not None, "what is known is still shown"
        catalog.start()
        # Without the click it would take some seconds more, at most.
        browser.run('document.querySelector("#retry")?.click()')
        page.wait_for("#state", "live")
        wait_until("it is empty", lambda: page.row("old") is None)
        page.wait_for("#tabs", "Keys 0")
        assert browser.run('return document.querySelector("#lost").hidden')
        catalog.register("new", "new")
        catalog.report("new", "passing")
        page.wait_for_row("new", "1/1")
        catalog.deregister("new")
        wait_until("it is gone", lambda: page.row("new") is None)


def a_page_that_nobody_sees_rests(catalog, page):
    browser = page.browser
    page.go("#/services")
    # The page's requests from now on that are not answered, and how many there have been.
    browser.run("""
      const fetch = window.fetch;
      window.asked = 0;
      window.open = new Set();
      window.fetch = (path, options) => {
        asked += 1;
        open.add(options.signal);
        return fetch(path, options).finally(() => open.delete(options.signal));
      }""")
    catalog.register("loud", "loud")
    catalog.ask("PUT", "/v1/kv/loud", "")
    wait_until("both queries block anew", lambda: browser.run("return asked >= 2 && open.size === 2"))
    before = browser.run("return asked")
    browser.run(SEE, True)
    assert browser.run("return [...open].every((signal) => signal.aborted)"), "a query goes on"
    catalog.register("quiet", "quiet")
    wait_until("nothing is asked", lambda: browser.run("return open.size === 0"))
    assert browser.run("return asked") == before, "it asks although nobody looks"
    browser.run(SEE, False)
    page.wait_for_row("quiet", "0/1")
    for identity in ["loud", "quiet"]:
        catalog.deregister(identity)
    catalog.ask("DELETE", "/v1/kv/loud")


def odd_catalogs_are_followed(catalog, page):
    """A catalog that begins anew, is full, hangs: made up, in a hundredth of the time."""
    browser = page.browser
    # The page's own queries rest meanwhile.
    browser.run(SEE, True)
    browser.run("""
      const later = window.setTimeout;
      const answer = (status, body, index) =>
        new Response(body, {status, headers: index ? {"X-Consul-Index": index} : {}});
      const hang = (signal) => new Promise((_, fail) =>
        signal.addEventListener("abort", () => fail(signal.reason)));
      const made = [
        () => answer(200, '"first"', 50), () => answer(200, '"second"', 7), () => answer(404, "", 8),
        () => answer(429, "Too many blocked queries"), () => answer(200, '"third"', 8), hang,
        () => answer(200, '"no index"', 0), () => answer(200, "no JSON", 9), hang,
      ];
      window.heard = [];
      window.fetch = (path, {signal}) => {
        heard.push(path);
        return Promise.resolve((made.shift() ?? hang)(signal));
      };
      window.setTimeout = (call, time) => later(call, time / 100);
      import("/ui/watch.js").then(({Watch}) => {
        window.made = new Watch("/made?up", (body) => heard.push(body),
          (state) => heard.push(state.kind === "lost" ? state.reason.slice(0, 16) : state.kind));
        window.made.start();
      })""")
    expected = [
        "/made?up", "first", "live", "/made?up&index=50&wait=30s", "second", "live",
        "/made?up&index=7&wait=30s", None, "live", "/made?up&index=8&wait=30s", "429 Too many blo",
        "/made?up", "third", "live", "/made?up&index=8&wait=30s", "no answer in tim",
        "/made?up", "no index", "live", "/made?up", "it answers somet", "/made?up", "no answer in tim",
    ]  # fmt: skip
    wait_until("all has been heard", lambda: browser.run("return heard.length") >= len(expected))
    browser.run("made.stop()")
    heard = browser.run("return heard")
    assert heard[: len(expected)] == expected, heard


def narrow_screens(catalog, page):
    browser = page.browser
    long = "a_service_with_a_name_that_is_longer_than_any_telephone_is_wide_at_least_in_portrait"
    catalog.register(long, long, Tags=[long, long], Meta={long: long}, Address=long, Port=65535)
    catalog.report(long, "critical", f"{long} " * 10 + long * 3)
    catalog.ask("PUT", f"/v1/kv/{long}/{long}", long * 5)
    try:
        for width in [360, 390, 1280]:
            browser.devtools("Emulation.setDeviceMetricsOverride", width=width, height=800,
                             deviceScaleFactor=1, mobile=False)  # fmt: skip
            for place, words in [
                ("#/services", long), (f"#/services/{long}", "critical"), ("#/nodes", "127.0.0.1"),
                ("#/keys", "New key"), (f"#/keys/{long}%2F{long}", "bytes"), ("#/new-key", "New key"),
            ]:  # fmt: skip
                page.go(place)
                page.wait_for("main", words)
                seen = browser.run("return document.documentElement.scrollWidth")
                assert seen <= width, f"{place} is {seen} wide on {width}"
            # Either the list or what is chosen of it, or both.
            page.go(f"#/services/{long}")
            page.wait_for("#detail h2", long)
            seen = browser.run('return document.querySelector("#list").offsetWidth > 0')
            assert seen == (width > 1000), (width, seen)
            if width < 1000:
                browser.click(".back")
                wait_until("the list is back", lambda: browser.run('return document.querySelector("#list").offsetWidth') > 0)
    finally:
        browser.devtools("Emulation.clearDeviceMetricsOverride")


def main():
    with Catalog(sys.argv[1], sys.argv[2]) as catalog, Browser() as browser:
        page = Page(browser)
        browser.open(catalog.url + "/")
        browser.run("window.marker = 'set once'")
        assert browser.run("return location.pathname") == "/ui/"
        for check in [
            services_come_fail_and_go, nodes_are_shown, keys_are_shown_and_changed, names_are_text,
            keyboard_and_filter, a_restart_is_survived, a_page_that_nobody_sees_rests, narrow_screens,
            odd_catalogs_are_followed,
        ]:  # fmt: skip
            try:
                check(catalog, page)
            except (Failed, AssertionError) as error:
                shown = browser.run("return document.body.innerText")
                sys.exit(f"{check.__name__}: {error!r}\n--- the page\n{shown}\n--- the browser\n{browser.complaints()}")
            assert page.is_the_same(), f"{check.__name__} has loaded the page anew"
            print(check.__name__, "ok", flush=True)
        # A catalog that is gone and a key that is not there are said by the browser as well.
        expected = ("ERR_CONNECTION", "ERR_EMPTY_RESPONSE", "404 (Not Found)")
        complaints = [entry["message"] for entry in browser.complaints()]
        bad = [message for message in complaints if not any(part in message for part in expected)]
        assert not bad, bad


main()
