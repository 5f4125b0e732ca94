import type { Clock } from "@boxship/base";
import { parseAnswer, type Question, RecordType, ResponseCode } from "@boxship/network";

export interface AnswerCacheOptions {
  readonly clock: Clock;
  /** Answers that are kept at most. @default 10000 */
  readonly most?: number;
  /** Bytes that they have at most. @default 16 MiB */
  readonly mostBytes?: number;
}

interface Kept {
  readonly message: Buffer;
  readonly ttls: readonly (readonly [at: number, seconds: number])[];
  readonly since: number;
  readonly until: number;
}

/** Seconds for which an answer is kept at most, whatever it says. */
const LONGEST = 30;
/** Seconds for which an answer that is too old is better than none. */
const STALE = 3600;
const HEADER = 12;
const START_MINIMUM = 4;

/** What others answered, for as long as they said and half a minute at most. */
export class AnswerCache {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #mostBytes: number;
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  constructor({ clock, most = 10_000, mostBytes = 16 << 20 }: AnswerCacheOptions) {
    this.#clock = clock;
    this.#most = most;
    this.#mostBytes = mostBytes;
  }

  /** The answer to the question, its times reduced by its age. @param stale take what is too old, too */
  get(question: Question, stale = false): Buffer | undefined {
    const kept = this.#kept.get(keyOf(question));
    if (kept === undefined) return undefined;
    const now = this.#clock.monotonic();
    if (now > (stale ? kept.until + STALE * 1000 : kept.until)) return undefined;
    const message = Buffer.from(kept.message);
    message.writeUInt16BE(question.id, 0);
    // Some clients write names in letters of random case, and want them back so.
    question.message.copy(message, HEADER, HEADER, question.end);
    const age = Math.floor((now - kept.since) / 1000);
    for (const [at, seconds] of kept.ttls) message.writeUInt32BE(Math.max(stale ? 1 : 0, seconds - age), at);
    return message;
  }

  put(question: Question, message: Buffer): void {
    const seconds = lifetime(message);
    if (seconds === undefined || message.length < question.end || message.readUInt16BE(4) !== 1) return;
    const key = keyOf(question);
    this.#drop(key);
    // Those that were put first go first.
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size < this.#most && this.#bytes + message.length <= this.#mostBytes) break;
      this.#drop(oldest);
    }
    const since = this.#clock.monotonic();
    const ttls = (parseAnswer(message)?.records ?? [])
      .filter(({ type }) => type !== RecordType.OPT)
      .map(({ ttlAt, ttl }) => [ttlAt, ttl] as const);
    this.#kept.set(key, { message: Buffer.from(message), ttls, since, until: since + seconds * 1000 });
    this.#bytes += message.length;
  }

  #drop(key: string): void {
    this.#bytes -= this.#kept.get(key)?.message.length ?? 0;
    this.#kept.delete(key);
  }
}

/** Seconds for which an answer holds; undefined for one that must not be kept (RFC 2308). */
function lifetime(message: Buffer): number | undefined {
  const answer = parseAnswer(message);
  if (answer === undefined || answer.truncated) return undefined;
  const { code, records } = answer;
  const told = records.filter(({ section }) => section === "answer");
  if (code === ResponseCode.NoError && told.length > 0) return Math.min(LONGEST, ...told.map(({ ttl }) => ttl));
  if (code !== ResponseCode.NoError && code !== ResponseCode.NameError) return undefined;
  const start = records.find(({ section, type }) => section === "authority" && type === RecordType.SOA);
  if (start === undefined || start.end - START_MINIMUM < start.start) return undefined;
  return Math.min(LONGEST, start.ttl, message.readUInt32BE(start.end - START_MINIMUM));
}

/** All that an answer may depend on: the question, the flags that ask for more or less, and whether there is room for more. */
function keyOf({ message, name, type, class: of, edns, end }: Question): string {
  const flags = message.readUInt16BE(2) & 0x0130;
  // DNSSEC's bit is in the last record's time.
  const wanted = edns && end + 9 <= message.length ? message.readUInt16BE(end + 7) : 0;
  return `${name} ${type} ${of} ${flags} ${edns ? wanted : "-"}`;
}
