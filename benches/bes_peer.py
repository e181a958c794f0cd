"""The peer of `bench bes`: pandas and scikit-learn score a CSV in chunks and write a CSV of the same shape."""
import sys

import pandas
from sklearn.feature_extraction.text import HashingVectorizer

source, target = sys.argv[1:]
vectorizer = HashingVectorizer(n_features=8, ngram_range=(1, 2), token_pattern=r"\S+", lowercase=False,
                               alternate_sign=False, norm=None)
names = [f"Col2_HashingFeature.{number}" for number in range(8)]
rows = 0
with open(target, "w", newline="") as output:
    for chunk in pandas.read_csv(source, chunksize=50_000, keep_default_na=False):
        hashed = vectorizer.transform(chunk["Col2"]).toarray().astype("int32")
        scored = pandas.concat([chunk.reset_index(drop=True), pandas.DataFrame(hashed, columns=names)], axis=1)
        scored.to_csv(output, index=False, header=rows == 0)
        rows += len(chunk)
print(rows)
