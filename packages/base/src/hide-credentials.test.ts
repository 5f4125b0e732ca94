import assert from "node:assert/strict";
import { test } from "node:test";
import { hideCredentials } from "./hide-credentials.ts";

test("credentials of addresses are hidden, wherever they stand; nothing else is", () => {
  const cases: Readonly<Record<string, string>> = {
    "https://user:pass@host/r.git#main": "https://xxxxx:xxxxx@host/r.git#main",
    "ADD https://token@host/f /f": "ADD https://xxxxx@host/f /f",
    "HTTPS://:p@h": "HTTPS://xxxxx:xxxxx@h",
    "https://user:p@ss@host/": "https://xxxxx:xxxxx@host/",
    "git fetch of ssh://git@host/r failed": "git fetch of ssh://git@host/r failed",
    "ssh://git:p@host/r": "ssh://xxxxx:xxxxx@host/r",
    "a 'http://a:b@c' and \"http://d:e@f\"": "a 'http://xxxxx:xxxxx@c' and \"http://xxxxx:xxxxx@f\"",
    "git@host:o/r": "git@host:o/r",
    "https://host/path@v1": "https://host/path@v1",
    "https://host?at=a@b": "https://host?at=a@b",
    "busybox@sha256:0": "busybox@sha256:0",
  };
  for (const [text, want] of Object.entries(cases)) assert.equal(hideCredentials(text), want);
});
