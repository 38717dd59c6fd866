"""A caller of /rpc on one connection that is kept alive."""

import http.client
import itertools
import json

JSON = {"Content-Type": "application/json"}


class RpcError(Exception):
    """The error object of a response."""

    def __init__(self, error):
        super().__init__(f"{error['code']} {error['message']} {error.get('data')}")
        self.code, self.data = error["code"], error.get("data")


class RpcCaller:
    """One at a time."""

    def __init__(self, port, seconds=120, headers=None):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
        self._headers = JSON | (headers or {})
        self._numbers = itertools.count(1)

    def post(self, body, **headers):
        """The HTTP status and the body that come back. Header names have _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("POST", "/rpc", body, self._headers | named)
        response = self._connection.getresponse()
        return response.status, response.read()

    def send(self, request):
        """A request, or whatever stands in its place, as JSON; what comes back, as JSON, or None."""
        _, body = self.post(json.dumps(request).encode())
        return json.loads(body) if body else None

    def call(self, method, params=None):
        """The result. Raises: RpcError."""
        request = {"jsonrpc": "2.0", "method": method, "id": next(self._numbers)}
        answer = self.send(request if params is None else {**request, "params": params})
        if "error" in answer:
            raise RpcError(answer["error"])
        return answer["result"]

    def close(self):
        self._connection.close()
