import { connect } from "@mess/client";

const form = document.querySelector("#write");
const state = document.querySelector("#state");

/** Text, never markup: anybody may write on the board. */
function pin(list, name, note) {
  const item = document.createElement("li");
  item.textContent = `${name}: ${note}`;
  document.querySelector(list).append(item);
}

// Server-sent events: nothing but the browser. It comes back by itself, with the offset it had.
const events = new EventSource("/events");
events.addEventListener("message", ({ data }) => {
  const { topic, payload } = JSON.parse(data);
  pin("#events", topic.slice("board/".length), payload);
});

// MQTT over WebSocket, by the client of mess.
const token = await (await fetch("/key")).text();
const mess = await connect(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/mqtt`, {
  ...(token !== "" && { auth: { token } }),
});
mess.on("state", ({ name }) => {
  state.textContent = name;
});
const board = mess.topic("board/{name}", { codec: "text" });

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, note } = Object.fromEntries(new FormData(form));
  form.elements.note.value = "";
  try {
    const { offset } = await board.publish({ name }, note);
    state.textContent = `on disk, at offset ${offset}`;
  } catch (error) {
    state.textContent = `${error.code}: ${error.message}`;
  }
});

const notes = board.subscribe();
await notes.ready;
form.querySelector("button").disabled = false;
for await (const { params, value } of notes) pin("#live", params.name, value);
