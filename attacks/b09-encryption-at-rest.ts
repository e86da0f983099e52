import type { Arena } from "./support/arena.ts";
import { attack, hasNone, lacks } from "./support/attack.ts";
import { NonceBook } from "./support/nonces.ts";

export const b09 = attack({
  id: "B9",
  title: "Storage: encryption at rest",
  threat: "A pair of key and nonce is used for two texts: whoever has both ciphers has both texts, and can forge.",
  mitigation:
    "Each segment has a salt, and with it a key, of its own; each open begins a new segment; the nonce counts frames.",
  ways: ["disk"],
  steps: [
    {
      name: "key and nonce over images of the disk, with kills in between",
      run: repeats,
      elsewhere: {
        mosquitto: hasNone("keeps nothing on disk by default: A11"),
        nats: lacks("does not encrypt by default: what is on disk can be read"),
      },
    },
  ],
});

async function repeats(outer: Arena): Promise<void> {
  const arena = await outer.own();
  const images = arena.full ? 200 : 5;
  const seen = new NonceBook();
  const owner = await arena.principal();
  for (let image = 0; image < images; image += 1) {
    const client = await arena.connect(owner);
    for (let count = 0; count < 6; count += 1) {
      await client.publish({ topic: owner.topic("x"), payload: `${image}-${count}`, qos: 1, retain: true });
    }
    seen.note(arena.broker.dataDir);
    if (image % 2 === 0) await arena.broker.kill();
    else await arena.broker.stop();
    seen.note(arena.broker.dataDir);
    await arena.broker.start();
  }
  if (seen.size < images * 3) throw new Error(`only ${seen.size} frames were found`);
}
