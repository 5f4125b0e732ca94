import { startRegistry } from "@boxship/testkit";
import { conformanceSuite } from "./testing/conformance-suite.ts";
import { listenForTest } from "./testing/registry-under-test.ts";

conformanceSuite({
  name: "our registry",
  start: async () => {
    const under = await listenForTest();
    return { origin: `http://${under.host}`, [Symbol.asyncDispose]: () => under[Symbol.asyncDispose]() };
  },
});

conformanceSuite({
  name: "the distribution's stock registry",
  start: async () => {
    const registry = await startRegistry();
    return { origin: registry.url, [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose]() };
  },
  differences: {
    "end-4b a single POST": "begins an upload instead, as it may",
    "end-4c a digest algorithm that is not known": "ignores the parameter",
    "end-5 a chunk out of order": "takes chunks in any order",
    "end-6 the last chunk out of order": "takes chunks in any order",
    "end-7a more than four megabytes": "answers 400 instead of 413",
    "end-7b several tags by one request": "ignores the parameter",
    "end-8a tags in order": "lists them as the file system does",
    "end-8b tags in parts": "lists all of them at once",
    "end-8b no tags for n=0, and no link": "lists all of them at once",
    "end-9 deletes a tag alone": "deletes manifests only",
    "end-9 a deleted referrer is no longer told of": "knows no referrers",
    "end-12a referrers with type and annotations, before and after their subject": "knows no referrers",
    "end-7a end-12a a push with a subject is told so": "knows no referrers",
    "end-12b referrers of one type": "knows no referrers",
    "end-12a no referrers": "knows no referrers",
  },
});
