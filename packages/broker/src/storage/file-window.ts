import type { DiskFile } from "../host/host.ts";
import { readAt } from "./disk-io.ts";
import { type FrameWindow, frameWindow } from "./frame-open.ts";
import { SECTOR } from "./sector-checksum.ts";

/** A moving view of a file, so that a scan reads large pieces. */
export class FileWindow {
  readonly #file: DiskFile;
  readonly #fileBytes: number;
  #window: FrameWindow;
  #start = 0;
  #length = 0;

  constructor(file: DiskFile, fileBytes: number, windowBytes: number) {
    this.#file = file;
    this.#window = frameWindow(Math.min(windowBytes, Math.ceil(fileBytes / SECTOR) * SECTOR));
    this.#fileBytes = fileBytes;
  }

  get current(): FrameWindow {
    return this.#window;
  }

  /** Makes `[offset, offset + length)` part of the view; its index there, or -1 past the end of the file. */
  async show(offset: number, length: number): Promise<number> {
    if (offset + length > this.#fileBytes) return -1;
    if (offset >= this.#start && offset + length <= this.#start + this.#length) return offset - this.#start;
    if (length > this.#window.bytes.length) this.#window = frameWindow(length);
    this.#start = offset;
    this.#length = 0;
    const wanted = Math.min(this.#window.bytes.length, this.#fileBytes - offset);
    this.#length = await readAt(this.#file, this.#window.bytes.subarray(0, wanted), offset);
    return length <= this.#length ? 0 : -1;
  }
}
