import assert from "node:assert/strict";
import { test } from "node:test";
import { boxshipCommands, shellLines } from "./docs.ts";

const markdown = `# Title
\`boxship nowhere\` in a sentence is prose.
\`\`\`sh
# a comment
$ ./boxship image pull debian:12
sudo boxship run -it --rm debian bash

npm test
\`\`\`
\`\`\`json
boxship inside json
\`\`\`
`;

test("shell blocks give their lines without prompts and comments", () => {
  assert.deepEqual(shellLines(markdown), [
    { text: "./boxship image pull debian:12", line: 5 },
    { text: "sudo boxship run -it --rm debian bash", line: 6 },
    { text: "npm test", line: 8 },
  ]);
});

test("commands are the words before the first flag or argument with punctuation", () => {
  assert.deepEqual(boxshipCommands(markdown), [
    { words: ["image", "pull"], line: 5 },
    { words: ["run"], line: 6 },
  ]);
});
