import { createHash } from "node:crypto";
import { type KubeObject, textAt, valueAt } from "@boxship/api";

/** A request that waits for its turn. */
export interface Waiting {
  readonly start: () => void;
  /** Seats that it takes. @default 1 */
  readonly width?: number;
}

interface Queue {
  readonly waiting: Waiting[];
  /** When its next request would begin, were the level's seats shared evenly from the beginning. */
  virtualStart: number;
}

/** Of a level's seats, for one request. */
const WIDEST = 0.15;

/** How a level is set up: `spec` of its configuration, and the seats that come to it. */
export interface LevelSettings {
  readonly name: string;
  readonly uid: string;
  readonly exempt: boolean;
  readonly shares: number;
  /** Percents of its seats that others may have while it needs them not. */
  readonly lendable: number;
  /** Percents of its seats that it may have besides; undefined: as many as there are. */
  readonly borrowing: number | undefined;
  /** Undefined: who finds no seat is refused. */
  readonly queuing: { readonly queues: number; readonly handSize: number; readonly lengthLimit: number } | undefined;
}

export function settingsOf(object: KubeObject): LevelSettings {
  const spec = valueAt(object, "spec");
  const exempt = textAt(spec, "type") === "Exempt";
  const own = valueAt(spec, exempt ? "exempt" : "limited");
  const number = (value: unknown, initial: number): number => (typeof value === "number" ? value : initial);
  const queuing = valueAt(own, "limitResponse", "queuing");
  const borrowing = valueAt(own, "borrowingLimitPercent");
  return {
    name: object.metadata.name ?? "",
    uid: object.metadata.uid ?? "",
    exempt,
    shares: number(valueAt(own, "nominalConcurrencyShares"), exempt ? 0 : 30),
    lendable: number(valueAt(own, "lendablePercent"), 0),
    borrowing: typeof borrowing === "number" ? borrowing : undefined,
    queuing:
      textAt(own, "limitResponse", "type") === "Queue"
        ? {
            queues: number(valueAt(queuing, "queues"), 64),
            handSize: number(valueAt(queuing, "handSize"), 8),
            lengthLimit: number(valueAt(queuing, "queueLengthLimit"), 50),
          }
        : undefined,
  };
}

/** The seats of one level, and the queues before them: who has asked for little goes before who has asked for much. */
export class PriorityLevel {
  settings: LevelSettings;
  nominalSeats = 0;
  /** Requests that have seats, and seats that are taken: by these, and for what ended ones have left to do. */
  executing = 0;
  seats = 0;
  dispatched = 0;
  readonly rejected = new Map<string, number>();
  readonly #queues = new Map<number, Queue>();
  #waiting = 0;
  #virtualTime = 0;

  constructor(settings: LevelSettings) {
    this.settings = settings;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Seats that others may have now. */
  get lendableSeats(): number {
    const most = Math.floor((this.nominalSeats * this.settings.lendable) / 100);
    return Math.max(0, Math.min(most, this.nominalSeats - this.seats - this.#waiting));
  }

  /** Of one request; undefined where the level has no say in it. */
  get widest(): number | undefined {
    const { queuing } = this.settings;
    if (queuing === undefined) return undefined;
    const { nominalSeats } = this;
    return Math.max(1, Math.min(Math.ceil(nominalSeats * WIDEST), Math.floor(nominalSeats / queuing.handSize)));
  }

  /** Seats that it may have altogether, its own and others'. */
  get mostSeats(): number {
    const { borrowing } = this.settings;
    if (borrowing === undefined) return Number.POSITIVE_INFINITY;
    return this.nominalSeats + Math.floor((this.nominalSeats * borrowing) / 100);
  }

  /** @returns how to leave the queue; undefined where all queues of the flow's hand are full */
  enqueue(flow: string, waiting: Waiting): (() => void) | undefined {
    const { queuing } = this.settings;
    if (queuing === undefined) return undefined;
    const hand = deal(flow, queuing.queues, queuing.handSize).map((index) => this.#queue(index));
    const shortest = hand.reduce((best, queue) => (queue.waiting.length < best.waiting.length ? queue : best));
    if (shortest.waiting.length >= queuing.lengthLimit) return undefined;
    if (shortest.waiting.length === 0) shortest.virtualStart = Math.max(shortest.virtualStart, this.#virtualTime);
    shortest.waiting.push(waiting);
    this.#waiting++;
    return () => {
      const at = shortest.waiting.indexOf(waiting);
      if (at < 0) return;
      shortest.waiting.splice(at, 1);
      this.#waiting--;
    };
  }

  #queue(index: number): Queue {
    let queue = this.#queues.get(index);
    if (queue === undefined) this.#queues.set(index, (queue = { waiting: [], virtualStart: 0 }));
    return queue;
  }

  /** The seats that the request takes whose turn it is: nobody goes before it who needs fewer. */
  get nextWidth(): number {
    return this.#first()?.waiting[0]?.width ?? 1;
  }

  /** Takes the request whose turn it is. */
  next(): Waiting | undefined {
    const first = this.#first();
    const taken = first?.waiting.shift();
    if (first === undefined || taken === undefined) return undefined;
    this.#virtualTime = first.virtualStart;
    first.virtualStart += taken.width ?? 1;
    this.#waiting--;
    return taken;
  }

  #first(): Queue | undefined {
    let first: Queue | undefined;
    for (const queue of this.#queues.values()) {
      if (queue.waiting.length > 0 && (first === undefined || queue.virtualStart < first.virtualStart)) first = queue;
    }
    return first;
  }
}

/** Shuffle sharding: each flow has a hand of queues, and two flows seldom the same. */
export function deal(flow: string, queues: number, handSize: number): readonly number[] {
  let hash = createHash("sha256").update(flow).digest().readBigUInt64LE();
  const hand: number[] = [];
  const deck = Array.from({ length: queues }, (_, index) => index);
  for (let card = 0; card < Math.min(handSize, queues); card++) {
    const left = BigInt(deck.length);
    hand.push(...deck.splice(Number(hash % left), 1));
    hash /= left;
  }
  return hand;
}
