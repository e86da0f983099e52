interface Seat<M> {
  readonly member: M;
  next: Seat<M>;
  previous: Seat<M>;
}

/**
 * Whose turn it is in a shared subscription: members in a ring, each ready one in its turn (MQTT 5.0 section 4.8.2 leaves
 * the choice to the server). Members are compared as `Map` does.
 */
export class SharedGroup<M> {
  readonly #seats: Map<M, Seat<M>> = new Map();
  /** Next to be asked. */
  #turn: Seat<M> | undefined;

  get size(): number {
    return this.#seats.size;
  }

  has(member: M): boolean {
    return this.#seats.has(member);
  }

  /** The new member comes last in the current round. False when it is there already. */
  add(member: M): boolean {
    if (this.#seats.has(member)) return false;
    const turn = this.#turn;
    const seat = { member } as Seat<M>;
    if (turn === undefined) {
      seat.next = seat;
      seat.previous = seat;
      this.#turn = seat;
    } else {
      seat.next = turn;
      seat.previous = turn.previous;
      turn.previous.next = seat;
      turn.previous = seat;
    }
    this.#seats.set(member, seat);
    return true;
  }

  /** False when it was not there. The turns of the others stay as they are. */
  remove(member: M): boolean {
    const seat = this.#seats.get(member);
    if (seat === undefined) return false;
    this.#seats.delete(member);
    seat.previous.next = seat.next;
    seat.next.previous = seat.previous;
    if (this.#turn === seat) this.#turn = seat.next === seat ? undefined : seat.next;
    return true;
  }

  /**
   * The next member for which `isReady` holds; the one after it is asked first next time. `undefined` when none is
   * ready. Each is asked at most once. `isReady` must not change the group.
   */
  nextReady(isReady: (member: M) => boolean): M | undefined {
    let seat = this.#turn;
    for (let asked = this.#seats.size; asked > 0 && seat !== undefined; asked--) {
      if (isReady(seat.member)) {
        this.#turn = seat.next;
        return seat.member;
      }
      seat = seat.next;
    }
    return undefined;
  }

  /** Whether `isReady` holds for one of them; no turn is taken. */
  some(isReady: (member: M) => boolean): boolean {
    let seat = this.#turn;
    for (let asked = this.#seats.size; asked > 0 && seat !== undefined; asked--) {
      if (isReady(seat.member)) return true;
      seat = seat.next;
    }
    return false;
  }

  /** The first in the order of turns. */
  get first(): M | undefined {
    return this.#turn?.member;
  }

  /** In the order of turns. */
  *members(): IterableIterator<M> {
    let seat = this.#turn;
    for (let left = this.#seats.size; left > 0 && seat !== undefined; left--) {
      yield seat.member;
      seat = seat.next;
    }
  }
}
