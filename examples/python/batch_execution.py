"""The guide's batch job, in Python 3 and with today's azure-storage-blob: upload, submit, start, wait, download.

Put your own values in place of the words in angle brackets; `gatehouse demo --json` prints them. Through the gateway the address
is http://127.0.0.1:8080/azureml-demo and the subscription key is needed; at the services door it may stay empty.
"""
import json
import time
import urllib.error
import urllib.request

from azure.storage.blob import BlobServiceClient

host = "<REPLACE WITH THE ADDRESS OF THE SERVICES DOOR OR OF THE API AT THE GATEWAY>"  # Example: http://127.0.0.1:8082
storage_host = "<REPLACE WITH THE ADDRESS OF THE BLOBS DOOR>"  # Example: http://127.0.0.1:10000
workspace = "<REPLACE WITH YOUR WORKSPACE ID>"
service = "<REPLACE WITH YOUR SERVICE ID>"
api_key = "<REPLACE WITH THE API KEY FOR YOUR WEB SERVICE>"
subscription_key = "<REPLACE WITH YOUR SUBSCRIPTION KEY>"
storage_account_name = "<REPLACE WITH YOUR STORAGE ACCOUNT NAME>"
storage_account_key = "<REPLACE WITH YOUR STORAGE KEY>"
storage_container_name = "<REPLACE WITH YOUR STORAGE CONTAINER NAME>"
input_file = "<REPLACE WITH THE LOCATION OF YOUR INPUT FILE>"  # Example: mydata.csv
output_file = "<REPLACE WITH THE LOCATION OF YOUR OUTPUT FILE>"  # Example: myresults.csv
input_blob_name = "mydatablob.csv"
output_blob_name = "myresultsblob.csv"


def printHttpError(httpError):
    print("The request failed with status code: " + str(httpError.code))
    print(httpError.info())
    print(json.loads(httpError.read()))


def saveBlobToFile(blobUrl, resultsLabel):
    print("Reading the result from " + blobUrl)
    try:
        response = urllib.request.urlopen(blobUrl)
    except urllib.error.HTTPError as error:
        printHttpError(error)
        return
    with open(output_file, "wb+") as f:
        f.write(response.read())
    print(resultsLabel + " have been written to the file " + output_file)


def processResults(result):
    first = True
    results = result["Results"]
    for outputName in results:
        result_blob_location = results[outputName]
        sas_token = result_blob_location["SasBlobToken"]
        base_url = result_blob_location["BaseLocation"]
        relative_url = result_blob_location["RelativeLocation"]
        print("The results for " + outputName + " are available at the following storage location:")
        print("BaseLocation: " + base_url)
        print("RelativeLocation: " + relative_url)
        print("SasBlobToken: " + sas_token)
        if first:
            first = False
            url3 = base_url + relative_url + sas_token
            saveBlobToFile(url3, "The results for " + outputName)


def invokeBatchExecutionService():
    url = host + "/workspaces/" + workspace + "/services/" + service + "/jobs"
    connection_string = ("DefaultEndpointsProtocol=https;AccountName=" + storage_account_name
                         + ";AccountKey=" + storage_account_key)
    blob_service = BlobServiceClient(storage_host + "/" + storage_account_name, credential={
        "account_name": storage_account_name, "account_key": storage_account_key})
    print("Uploading the input to blob storage...")
    with open(input_file, "rb") as data_to_upload:
        blob_service.get_blob_client(storage_container_name, input_blob_name).upload_blob(data_to_upload, overwrite=True)
    print("Uploaded the input to blob storage")
    input_blob_path = "/" + storage_container_name + "/" + input_blob_name
    payload = {
        "Input": {
            "ConnectionString": connection_string,
            "RelativeLocation": input_blob_path
        },
        "Outputs": {
            "output1": {
                "ConnectionString": connection_string,
                "RelativeLocation": "/" + storage_container_name + "/" + output_blob_name
            },
        },
        "GlobalParameters": {
        }
    }
    body = str.encode(json.dumps(payload))
    headers = {"Content-Type": "application/json", "Authorization": "Bearer " + api_key,
               "Ocp-Apim-Subscription-Key": subscription_key}

    # submit the job
    print("Submitting the job...")
    req = urllib.request.Request(url + "?api-version=2.0", body, headers)
    try:
        response = urllib.request.urlopen(req)
    except urllib.error.HTTPError as error:
        printHttpError(error)
        return
    result = response.read().decode()
    job_id = result[1:-1]  # remove the enclosing double-quotes
    print("Job ID: " + job_id)

    # start the job
    print("Starting the job...")
    req = urllib.request.Request(url + "/" + job_id + "/start?api-version=2.0", b"", headers)
    try:
        response = urllib.request.urlopen(req)
    except urllib.error.HTTPError as error:
        printHttpError(error)
        return

    url2 = url + "/" + job_id + "?api-version=2.0"
    while True:
        print("Checking the job status...")
        req = urllib.request.Request(url2, headers={"Authorization": "Bearer " + api_key,
                                                    "Ocp-Apim-Subscription-Key": subscription_key})
        try:
            response = urllib.request.urlopen(req)
        except urllib.error.HTTPError as error:
            printHttpError(error)
            return
        result = json.loads(response.read())
        status = result["StatusCode"]
        print("status:" + str(status))
        if status == 0 or status == "NotStarted":
            print("Job " + job_id + " not yet started...")
        elif status == 1 or status == "Running":
            print("Job " + job_id + " running...")
        elif status == 2 or status == "Failed":
            print("Job " + job_id + " failed!")
            print("Error details: " + result["Details"])
            break
        elif status == 3 or status == "Cancelled":
            print("Job " + job_id + " cancelled!")
            break
        elif status == 4 or status == "Finished":
            print("Job " + job_id + " finished!")
            processResults(result)
            break
        time.sleep(1)  # wait one second


invokeBatchExecutionService()
