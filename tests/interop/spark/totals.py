"""Spark Structured Streaming from a topic to a topic: the count and the sum of the numbers of each minute of record time.

Arguments: bootstrap servers, input topic, output topic, checkpoint folder. Takes what the input has and ends; started
again with the same checkpoint it goes on where it was.
"""

import sys

from pyspark.sql import SparkSession
from pyspark.sql.functions import col, concat_ws, count, sum, unix_timestamp, window

bootstrap, source, target, checkpoint = sys.argv[1:]
spark = SparkSession.builder.appName("totals").getOrCreate()
records = (
    spark.readStream.format("kafka")
    .option("kafka.bootstrap.servers", bootstrap)
    .option("kafka.isolation.level", "read_committed")
    .option("subscribe", source)
    .option("startingOffsets", "earliest")
    .option("maxOffsetsPerTrigger", 2000)
    .load()
)
numbers = records.select("timestamp", col("value").cast("string").cast("long").alias("number"))
totals = numbers.groupBy(window("timestamp", "1 minute")).agg(count("number").alias("count"), sum("number").alias("sum"))
query = (
    totals.select(unix_timestamp(col("window.start")).cast("string").alias("key"), concat_ws(" ", "count", "sum").alias("value"))
    .writeStream.format("kafka")
    .outputMode("update")
    .option("kafka.bootstrap.servers", bootstrap)
    .option("topic", target)
    .option("checkpointLocation", checkpoint)
    .trigger(availableNow=True)
    .start()
)
query.awaitTermination()
