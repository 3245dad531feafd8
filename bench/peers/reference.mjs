// What is right, in float64: plain loops that a reader can verify by eye.

/** `[m, k] · [k, n]`, rows of `a` and `b` being contiguous unless their transposes are asked for. */
export function matmul(a, b, m, k, n, { transposeA = false, transposeB = false } = {}) {
  const y = new Float64Array(m * n);
  const right = transposeB ? transpose(b, n, k) : b;
  const left = transposeA ? transpose(a, k, m) : a;
  for (let i = 0; i < m; i++) {
    const row = y.subarray(i * n, (i + 1) * n);
    for (let t = 0; t < k; t++) {
      const factor = left[i * k + t];
      for (let j = 0; j < n; j++) row[j] += factor * right[t * n + j];
    }
  }
  return y;
}

/** `[rows, cols]` → `[cols, rows]`. */
export function transpose(x, rows, cols) {
  const y = new Float64Array(x.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) y[j * rows + i] = x[i * cols + j];
  return y;
}

export function add(a, b) {
  return Float64Array.from(a, (value, i) => value + b[i]);
}

/** Adds `bias` to every row. */
export function addBias(x, bias) {
  return Float64Array.from(x, (value, i) => value + bias[i % bias.length]);
}

/** Sums of the columns of `[rows, cols]`. */
export function sumRows(x, cols) {
  const y = new Float64Array(cols);
  for (let i = 0; i < x.length; i++) y[i % cols] += x[i];
  return y;
}

export function softmax(x, cols) {
  const y = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += cols) {
    let top = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < cols; j++) top = Math.max(top, x[at + j]);
    let sum = 0;
    for (let j = 0; j < cols; j++) sum += y[at + j] = Math.exp(x[at + j] - top);
    for (let j = 0; j < cols; j++) y[at + j] /= sum;
  }
  return y;
}

/** Layer normalisation of rows; `backward(dy)` gives the gradients. */
export function layerNorm(x, weight, bias, eps) {
  const cols = weight.length;
  const normal = new Float64Array(x.length);
  const inverse = new Float64Array(x.length / cols);
  for (let r = 0; r < inverse.length; r++) {
    const row = x.subarray(r * cols, (r + 1) * cols);
    const mean = row.reduce((sum, value) => sum + value, 0) / cols;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / cols;
    inverse[r] = 1 / Math.sqrt(variance + eps);
    for (let j = 0; j < cols; j++) normal[r * cols + j] = (row[j] - mean) * inverse[r];
  }
  const y = normal.map((value, i) => value * weight[i % cols] + bias[i % cols]);
  const backward = (dy) => {
    const dx = new Float64Array(x.length);
    for (let r = 0; r < inverse.length; r++) {
      let sum = 0;
      let dot = 0;
      for (let j = 0; j < cols; j++) {
        const d = dy[r * cols + j] * weight[j];
        sum += d;
        dot += d * normal[r * cols + j];
      }
      for (let j = 0; j < cols; j++) {
        const i = r * cols + j;
        dx[i] = inverse[r] * (dy[i] * weight[j] - sum / cols - (normal[i] * dot) / cols);
      }
    }
    return {
      dx,
      dweight: sumRows(
        dy.map((value, i) => value * normal[i]),
        cols,
      ),
      dbias: sumRows(dy, cols),
    };
  };
  return { y, backward };
}

/** Attention of one head, all `[n, d]`; `backward(dy)` gives the gradients. */
export function attentionHead(q, k, v, n, d) {
  const scale = 1 / Math.sqrt(d);
  const scores = matmul(q, k, n, d, n, { transposeB: true }).map((value) => value * scale);
  const p = softmax(scores, n);
  const y = matmul(p, v, n, n, d);
  const backward = (dy) => {
    const dp = matmul(dy, v, n, d, n, { transposeB: true });
    const ds = new Float64Array(p.length);
    for (let i = 0; i < n; i++) {
      let dot = 0;
      for (let j = 0; j < n; j++) dot += dp[i * n + j] * p[i * n + j];
      for (let j = 0; j < n; j++) ds[i * n + j] = p[i * n + j] * (dp[i * n + j] - dot) * scale;
    }
    return {
      dq: matmul(ds, k, n, n, d),
      dk: matmul(ds, q, n, n, d, { transposeA: true }),
      dv: matmul(p, dy, n, n, d, { transposeA: true }),
    };
  };
  return { y, backward };
}

/** The error function: its series where that converges fast, else a continued fraction. */
export function erf(x) {
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  if (z < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = z;
  for (let n = 60; n > 0; n--) fraction = z + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-z * z) / (Math.sqrt(Math.PI) * fraction));
}

export function gelu(x) {
  return Float64Array.from(x, (value) => value * 0.5 * (1 + erf(value / Math.SQRT2)));
}

export function geluBackward(x, dy) {
  return Float64Array.from(x, (value, i) => {
    const density = Math.exp((-value * value) / 2) / Math.sqrt(2 * Math.PI);
    return dy[i] * (0.5 * (1 + erf(value / Math.SQRT2)) + value * density);
  });
}

/**
 * A pre-norm transformer block of `[batch · tokens, dim]`; weights are `[in, out]`. `backward(dy)` gives the gradients of
 * the weights by name.
 */
export function block(x, weights, { batch, tokens, dim, heads, hidden, eps }) {
  const rows = batch * tokens;
  const width = dim / heads;
  const linear = (input, name, inputs, outputs) =>
    addBias(matmul(input, weights[`${name}.weight`], rows, inputs, outputs), weights[`${name}.bias`]);

  const norm1 = layerNorm(x, weights['norm1.weight'], weights['norm1.bias'], eps);
  const qkv = linear(norm1.y, 'attn.qkv', dim, 3 * dim);
  const attended = new Float64Array(rows * dim);
  const parts = [];
  /** Visits head `h` of image `b`: the row and column among all heads, and the place within the head. */
  const eachElement = (b, h, visit) => {
    for (let n = 0; n < tokens; n++)
      for (let d = 0; d < width; d++) visit(b * tokens + n, h * width + d, n * width + d);
  };
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const qkvOfHead = [0, 1, 2].map((part) => {
        const values = new Float64Array(tokens * width);
        eachElement(b, h, (row, col, i) => {
          values[i] = qkv[row * 3 * dim + part * dim + col];
        });
        return values;
      });
      const head = attentionHead(...qkvOfHead, tokens, width);
      eachElement(b, h, (row, col, i) => {
        attended[row * dim + col] = head.y[i];
      });
      parts.push({ b, h, head });
    }
  }
  const x1 = add(x, linear(attended, 'attn.proj', dim, dim));
  const norm2 = layerNorm(x1, weights['norm2.weight'], weights['norm2.bias'], eps);
  const h1 = linear(norm2.y, 'mlp.fc1', dim, hidden);
  const a1 = gelu(h1);
  const y = add(x1, linear(a1, 'mlp.fc2', hidden, dim));

  const backward = (dy) => {
    const gradients = {};
    const linearBackward = (input, d, name, inputs, outputs) => {
      gradients[`${name}.weight`] = matmul(input, d, inputs, rows, outputs, { transposeA: true });
      gradients[`${name}.bias`] = sumRows(d, outputs);
      return matmul(d, weights[`${name}.weight`], rows, outputs, inputs, { transposeB: true });
    };
    const normBackward = (norm, d, name) => {
      const { dx, dweight, dbias } = norm.backward(d);
      gradients[`${name}.weight`] = dweight;
      gradients[`${name}.bias`] = dbias;
      return dx;
    };
    const dh1 = geluBackward(h1, linearBackward(a1, dy, 'mlp.fc2', hidden, dim));
    const dx1 = add(dy, normBackward(norm2, linearBackward(norm2.y, dh1, 'mlp.fc1', dim, hidden), 'norm2'));
    const dattended = linearBackward(attended, dx1, 'attn.proj', dim, dim);
    const dqkv = new Float64Array(qkv.length);
    for (const { b, h, head } of parts) {
      const dhead = new Float64Array(tokens * width);
      eachElement(b, h, (row, col, i) => {
        dhead[i] = dattended[row * dim + col];
      });
      const { dq, dk, dv } = head.backward(dhead);
      [dq, dk, dv].forEach((values, part) => {
        eachElement(b, h, (row, col, i) => {
          dqkv[row * 3 * dim + part * dim + col] = values[i];
        });
      });
    }
    normBackward(norm1, linearBackward(norm1.y, dqkv, 'attn.qkv', dim, 3 * dim), 'norm1');
    return gradients;
  };
  return { y, backward };
}
