"""Exercises a catalog with py-consul: agent, catalog, health, kv, session, txn, event, status.

Usage: py_consul.py PORT. Ends with the line "all is well".
"""

import base64
import sys
import threading

import consul

PORT = int(sys.argv[1])


def client():
    return consul.Consul(host="127.0.0.1", port=PORT)


def later(work):
    """What `work` returns in a thread, as a function that waits for it."""
    answer = []

    def run():
        try:
            answer.append(work())
        except Exception as error:  # for the one who waits
            answer.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def result():
        thread.join(30)
        assert answer, "no answer within 30 seconds"
        assert not isinstance(answer[0], Exception), answer[0]
        return answer[0]

    return result


def refused(error, work):
    try:
        work()
    except error as refusal:
        return str(refusal)
    raise AssertionError(f"not refused with {error.__name__}")


def values(node):
    return {service["Service"] for service in node["Services"].values()}


def agent(c):
    own = c.agent.self()
    assert own["Config"]["Datacenter"] == "dc1", own
    node = own["Config"]["NodeName"]
    assert [member["Name"] for member in c.agent.members()] == [node]
    service = c.agent.service
    assert service.register(
        "web",
        service_id="web-1",
        address="10.0.0.1",
        port=80,
        tags=["a", "b"],
        meta={"k": "v"},
        check=consul.Check.ttl("60s"),
    )
    assert service.register("other", check=consul.Check.tcp("127.0.0.1", 1, "10s", timeout="1s"))
    web = c.agent.services()["web-1"]
    assert (web["Port"], web["Tags"], web["Meta"]) == (80, ["a", "b"], {"k": "v"}), web
    checks = c.agent.checks()
    assert checks["service:web-1"]["Status"] == "critical", checks
    assert c.agent.check.ttl_pass("service:web-1", "fine")
    assert c.agent.checks()["service:web-1"]["Output"] == "fine"
    assert c.agent.check.ttl_warn("service:web-1")
    assert c.agent.checks()["service:web-1"]["Status"] == "warning"
    assert c.agent.check.ttl_fail("service:web-1")
    assert c.agent.check.register("disk", consul.Check.ttl("60s"), check_id="disk-1")
    assert "disk-1" in c.agent.checks()
    assert c.agent.check.deregister("disk-1")
    assert service.maintenance("web-1", True, "because")
    assert c.agent.checks()["_service_maintenance:web-1"]["Notes"] == "because"
    assert service.maintenance("web-1", False)
    assert c.agent.maintenance(True, "why") and c.agent.maintenance(False)
    assert "_node_maintenance" not in c.agent.checks()
    refused(consul.ConsulException, lambda: c.agent.check.ttl_pass("no-such-check"))
    assert service.deregister("other")
    return node


def catalog(c, node):
    assert c.catalog.datacenters() == ["dc1"]
    index, services = c.catalog.services()
    assert services["web"] == ["a", "b"], services
    _, nodes = c.catalog.nodes()
    assert [one["Node"] for one in nodes] == [node]
    assert c.catalog.register(
        "far",
        "10.0.0.9",
        service={"Service": "db", "ID": "db-1", "Port": 5432, "Tags": ["primary"]},
        check={"Name": "db-alive", "Status": "passing", "ServiceID": "db-1"},
    )
    _, far = c.catalog.node("far")
    assert (far["Node"]["Address"], values(far)) == ("10.0.0.9", {"db"}), far
    _, db = c.catalog.service("db", tag="primary")
    assert [(one["Node"], one["ServicePort"]) for one in db] == [("far", 5432)]
    assert c.catalog.service("db", tag="replica")[1] == []
    seen, _ = c.catalog.services()
    changed = later(lambda: client().catalog.services(index=seen, wait="30s"))
    assert c.catalog.deregister("far", service_id="db-1")
    _, services = changed()
    assert "db" not in services, services
    assert c.catalog.deregister("far")
    assert c.catalog.node("far")[1] is None
    assert c.catalog.services()[0] > index


def health(c):
    index, web = c.health.service("web", passing=True)
    assert web == [], web
    healthy = later(lambda: client().health.service("web", index=index, wait="30s", passing=True))
    assert c.agent.check.ttl_pass("service:web-1")
    index, web = healthy()
    assert [one["Service"]["ID"] for one in web] == ["web-1"], web
    assert {check["Status"] for check in web[0]["Checks"]} == {"passing"}
    assert c.health.service("web", near="_agent", tag="a")[1]
    assert [check["CheckID"] for check in c.health.checks("web")[1]] == ["service:web-1"]
    _, passing = c.health.state("passing")
    assert "service:web-1" in {check["CheckID"] for check in passing}
    node = c.agent.self()["Config"]["NodeName"]
    assert "service:web-1" in {check["CheckID"] for check in c.health.node(node)[1]}
    assert c.agent.service.deregister("web-1")
    assert c.health.service("web")[1] == []


def kv(c):
    assert c.kv.get("none")[1] is None
    assert c.kv.put("py/a", "one") and c.kv.put("py/b/c", b"\x00\xff", flags=7)
    index, pair = c.kv.get("py/a")
    assert pair["Value"] == b"one", pair
    _, pair = c.kv.get("py/b/c")
    assert (pair["Value"], pair["Flags"]) == (b"\x00\xff", 7), pair
    assert c.kv.get("py/", keys=True, separator="/")[1] == ["py/a", "py/b/"]
    assert len(c.kv.get("py/", recurse=True)[1]) == 2
    assert not c.kv.put("py/a", "two", cas=0)
    changed = later(lambda: client().kv.get("py/a", index=index, wait="30s"))
    assert c.kv.put("py/a", "two", cas=c.kv.get("py/a")[1]["ModifyIndex"])
    assert changed()[1]["Value"] == b"two"
    assert not c.kv.delete("py/a", cas=1)
    assert c.kv.delete("py/a") and c.kv.delete("py/", recurse=True)
    assert c.kv.get("py/", recurse=True)[1] is None
    assert c.kv.put("empty", "") and c.kv.get("empty")[1]["Value"] is None


def session(c, node):
    one = c.session.create("one", ttl=10, lock_delay=0)
    two = c.session.create("two", ttl=3600, behavior="delete")
    _, info = c.session.info(one)
    assert (info["Name"], info["TTL"], info["LockDelay"]) == ("one", "10s", 0), info
    assert {one, two} <= {s["ID"] for s in c.session.list()[1]}
    assert {one, two} <= {s["ID"] for s in c.session.node(node)[1]}
    assert c.session.renew(one)["ID"] == one
    assert c.kv.put("lock", "mine", acquire=one)
    assert not c.kv.put("lock", "ours", acquire=two)
    index, held = c.kv.get("lock")
    assert (held["Session"], held["LockIndex"]) == (one, 1), held
    freed = later(lambda: client().kv.get("lock", index=index, wait="30s"))
    assert c.session.destroy(one)
    assert "Session" not in freed()[1]
    assert c.kv.put("lock", "ours", acquire=two)
    assert c.kv.get("lock")[1]["LockIndex"] == 2
    assert c.kv.put("lock", "free", release=two)
    assert c.kv.put("lock", "ours", acquire=two)
    assert c.session.destroy(two)
    assert c.kv.get("lock")[1] is None, "its keys go with a session of that behavior"
    refused(consul.NotFound, lambda: c.session.renew(one))


def txn(c):
    def op(verb, key, value="", **more):
        value = base64.b64encode(value.encode()).decode()
        return {"KV": {"Verb": verb, "Key": key, "Value": value, **more}}

    done = c.txn.put([op("set", "t/a", "1"), op("set", "t/b", "2"), op("get-tree", "t/")])
    assert [result["KV"]["Key"] for result in done["Results"]] == ["t/a", "t/b", "t/a", "t/b"]
    index = c.kv.get("t/a")[1]["ModifyIndex"]
    assert c.txn.put([op("cas", "t/a", "3", Index=index), op("delete", "t/b")])["Errors"] is None
    assert c.kv.get("t/a")[1]["Value"] == b"3" and c.kv.get("t/b")[1] is None
    stale = [op("set", "t/never", "x"), op("cas", "t/a", "4", Index=index)]
    text = refused(consul.ConsulException, lambda: c.txn.put(stale))
    assert "index is stale" in text, text
    assert c.kv.get("t/never")[1] is None


def event(c):
    fired = c.event.fire("deploy", "v2")
    assert fired["Name"] == "deploy", fired
    index, events = c.event.list("deploy")
    assert [one["ID"] for one in events] == [fired["ID"]]
    assert events[0]["Payload"] in (b"v2", base64.b64encode(b"v2").decode()), events
    again = later(lambda: client().event.list("deploy", index=index, wait="30s"))
    next_one = c.event.fire("deploy", "v3")
    assert again()[1][-1]["ID"] == next_one["ID"]
    c.event.fire("deploy", "elsewhere", node="no-such-node")
    assert len(c.event.list("deploy")[1]) == 2


def status(c):
    assert str(PORT) in c.status.leader()
    assert len(c.status.peers()) == 1


def main():
    c = client()
    node = agent(c)
    catalog(c, node)
    health(c)
    kv(c)
    session(c, node)
    txn(c)
    event(c)
    status(c)
    print("all is well")


main()
