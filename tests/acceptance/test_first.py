import urllib.request


def test_x(service):
    with urllib.request.urlopen(service.url + "/health") as r:
        print(r.read())
