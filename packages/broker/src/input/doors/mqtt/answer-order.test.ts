import fc from "fast-check";
import { expect, test } from "vitest";
import { AnswerOrder } from "./answer-order.ts";

test("whatever is answered first, answers leave in the order of their questions, and none stays behind", () => {
  const question = fc.record({ settles: fc.boolean(), answerNow: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(question, { maxLength: 30 }), fc.infiniteStream(fc.nat(1_000)), (questions, choices) => {
      const order = new AnswerOrder();
      const said: number[] = [];
      const engine: number[] = [];
      const settling: number[] = [];
      let unanswered = 0;
      const next = (): number => choices.next().value as number;
      const answer = (): void => {
        // The engine answers in order, settlements are told in any.
        const isEngine = settling.length === 0 || (engine.length > 0 && next() % 2 === 0);
        if (isEngine && engine.length === 0) return;
        const id = isEngine ? (engine.shift() as number) : (settling.splice(next() % settling.length, 1)[0] as number);
        unanswered--;
        const say = (): void => void said.push(id);
        if (!isEngine) order.settled(id, say);
        else if (order.isIdle) say();
        else order.confirmed(say);
      };
      questions.forEach(({ settles, answerNow }, index) => {
        const id = index + 1;
        if (settles) order.settlement(id, unanswered);
        else order.publish();
        (settles ? settling : engine).push(id);
        unanswered++;
        for (let times = 0; times < answerNow; times++) answer();
      });
      while (unanswered > 0) answer();
      expect(said).toEqual(questions.map((_, index) => index + 1));
      expect(order.isIdle).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});
