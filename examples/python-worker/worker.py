#!/usr/bin/env python3
"""Works off the declared subscription "thumbnails" with Eclipse Paho, over MQTT 5. Nothing of mess is installed.

Each delivery is a lease. When the work is done it is acknowledged; when the work fails it is given back with the reason,
tried again after a growing wait, and in the end it is a dead letter. If this program dies, others get its messages.
"""
import json
import os
import queue
import signal
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

NAME = "thumbnails"
CREDIT = 8  # leases held at a time; the server keeps to it

leases = queue.Queue()


def make_thumbnail(picture):
    if not picture["file"].endswith((".jpg", ".png")):
        raise ValueError(f"{picture['file']} is no picture")
    print("thumbnail of", picture["file"], flush=True)


def settle(client, message, verb, reason=None):
    """Says what became of a lease: a publish to its Response Topic, with its Correlation Data as token."""
    properties = Properties(PacketTypes.PUBLISH)
    properties.CorrelationData = message.properties.CorrelationData
    if reason is not None:
        properties.UserProperty = ("mess-reason", reason)
    client.publish(message.properties.ResponseTopic, verb, qos=1, properties=properties)


def work(client, message):
    try:
        make_thumbnail(json.loads(message.payload))
    except Exception as error:  # whatever it was, it is told and tried again
        print("failed:", error, flush=True)
        settle(client, message, "nack", str(error)[:200])
    else:
        settle(client, message, "ack")


def on_connect(client, userdata, flags, reason, properties):
    properties = Properties(PacketTypes.SUBSCRIBE)
    properties.UserProperty = [("mess-ack", "explicit"), ("mess-credit", str(CREDIT))]
    client.subscribe(f"$mess/queue/{NAME}/#", qos=1, properties=properties)


def on_subscribe(client, userdata, mid, reasons, properties):
    refused = [reason for reason in reasons if reason.value >= 0x80]
    print("refused:" if refused else "working", *refused, flush=True)


def main():
    url = urlsplit(os.environ.get("MESS_URL", "mqtts://localhost:8883"))
    # paho 2 wants to be told which form the callbacks above have.
    version = {"callback_api_version": mqtt.CallbackAPIVersion.VERSION1} if hasattr(mqtt, "CallbackAPIVersion") else {}
    client = mqtt.Client(protocol=mqtt.MQTTv5, **version)
    if "MESS_CA" in os.environ:
        client.tls_set(os.environ["MESS_CA"])
    if "MESS_KEY" in os.environ:
        client.username_pw_set(*os.environ["MESS_KEY"].split(".", 1))
    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    # Not worked on in here: this thread also answers the server's pings.
    client.on_message = lambda client, userdata, message: leases.put(message)
    signal.signal(signal.SIGTERM, lambda *_: leases.put(None))
    client.connect(url.hostname, url.port or 8883)
    client.loop_start()
    while (message := leases.get()) is not None:
        work(client, message)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main()
