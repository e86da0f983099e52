export interface TopicLimits { readonly topicBytesMax: number; readonly topicLevelsMax: number }
export interface TopicProblem { readonly reason: string }
export function checkTopicName(text: string, limits: TopicLimits): TopicProblem | undefined {
  if (text === "") return { reason: "a topic name has at least one character" };
  if (Buffer.byteLength(text) > limits.topicBytesMax) return { reason: `a topic name has at most ${limits.topicBytesMax} bytes` };
  let levels = 1;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x2f) levels++;
    else if (c === 0x2b || c === 0x23) return { reason: "a topic name has no wildcards" };
    else if (c === 0) return { reason: "a topic name has no U+0000" };
  }
  return levels > limits.topicLevelsMax ? { reason: `a topic name has at most ${limits.topicLevelsMax} levels` } : undefined;
}
