"""The guide's call of the request-response endpoint, in Python 3.

Put your own values in place of the words in angle brackets; `gatehouse demo --json` prints them. Through the gateway the address
is http://127.0.0.1:8080/azureml-demo and the subscription key is needed; at the services door it may stay empty.
"""
import json
import urllib.error
import urllib.request

host = "<REPLACE WITH THE ADDRESS OF THE SERVICES DOOR OR OF THE API AT THE GATEWAY>"  # Example: http://127.0.0.1:8082
workspace = "<REPLACE WITH YOUR WORKSPACE ID>"
service = "<REPLACE WITH YOUR SERVICE ID>"
api_key = "<REPLACE WITH THE API KEY FOR YOUR WEB SERVICE>"
subscription_key = "<REPLACE WITH YOUR SUBSCRIPTION KEY>"

data = {
    "Inputs": {
        "input1": {
            "ColumnNames": ["Col2"],
            "Values": [["This is a good day"]]
        },
    },
    "GlobalParameters": {}
}

url = host + "/workspaces/" + workspace + "/services/" + service + "/execute?api-version=2.0&details=true"
headers = {"Content-Type": "application/json", "Authorization": "Bearer " + api_key,
           "Ocp-Apim-Subscription-Key": subscription_key}
body = str.encode(json.dumps(data))

try:
    req = urllib.request.Request(url, body, headers)
    response = urllib.request.urlopen(req)
    result = response.read()
    print("result:" + result.decode())
except urllib.error.HTTPError as error:
    print("The request failed with status code: " + str(error.code))
    print(error.info())
    print(json.loads(error.read()))
