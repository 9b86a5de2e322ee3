"""A gRPC server with the health service: `python grpc_server.py PORT [KEY CERT]`."""

import sys
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
status = health_pb2.HealthCheckResponse
service = health.HealthServicer()
service.set("", status.SERVING)
service.set("ready", status.SERVING)
service.set("tired", status.NOT_SERVING)
service.set("x" * 300, status.SERVING)
health_pb2_grpc.add_HealthServicer_to_server(service, server)
address = "127.0.0.1:" + sys.argv[1]
if len(sys.argv) > 2:
    key, certificate = (open(path, "rb").read() for path in sys.argv[2:4])
    port = server.add_secure_port(address, grpc.ssl_server_credentials([(key, certificate)]))
else:
    port = server.add_insecure_port(address)
server.start()
print("ready", flush=True)
server.wait_for_termination()
