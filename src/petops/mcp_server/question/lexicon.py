"""The words themselves: by what they mean, and those that mean nothing here. Data.

A word that stands in several rows has the meaning of the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MEANINGS: Final[Mapping[str, str]] = {
    "memory": "memory mem ram",
    "workingset": "workingset wss working-set",
    "rss": "rss resident",
    "cached": "cache cached caches",
    "cpu": "cpu cpus processor processors compute processing",
    "core": "core cores vcpu vcpus",
    "usage": (
        "usage usages use uses using used utilization utilisation utilizing consumption "
        "consume consumes consumed consuming util utilized utilised burn burns burning "
        "eat eats eating hog hogs hogging occupy occupies occupied footprint consumer "
        "consumers activity activities"
    ),
    "limit": "limit limits limited quota cap ceiling allowance",
    "milli": "millicore millicores mcpu milli-cores",
    "share": (
        "share fraction percent percentage percentages pct proportion portion ratio "
        "ratios relative relation % saturated saturation saturate"
    ),
    "headroom": (
        "headroom slack spare leftover left remaining remain remains room margin unallocated"
    ),
    "free": "free unused idle",
    "available": "available availability",
    "leak": "leak leaks leaking leaked leaky",
    "growth": (
        "grow growing grows grew grown growth climb climbs "
        "climbing rise rises rising rose increase increases increasing increased slope "
        "swelling gain gains gaining gained inflate balloon"
    ),
    "shrink": "shrink shrinking decreasing decrease decreased decreases falling drop dropping",
    "throttle": "throttle throttled throttling throttles throttlings",
    "network": "network networking net bandwidth",
    "traffic": "traffic",
    "bytes": "byte bytes",
    "receive": (
        "receive received receives receiving rx inbound ingress incoming download "
        "downloaded downloading downloads"
    ),
    "transmit": (
        "transmit transmitted transmits transmitting tx send sends sent sending outbound "
        "egress outgoing upload uploaded uploads uploading"
    ),
    "in": "in into inside within",
    "out": "out",
    "restart": (
        "restart restarts restarted restarting restartcount reboot reboots rebooted rebooting"
    ),
    "crash": (
        "crash crashes crashed crashing crashloop crashlooping crashloopbackoff "
        "crash-loop crash-looping flapping"
    ),
    "oom": "oom ooms oomkill oomkills oomkilled oom-kill oom-kills oom-killed oomed",
    "killed": "killed kill kills dying died dies die",
    "evict": "evict evicted evictions eviction evicting",
    "request": "request requests req reqs requested call calls invocations queries",
    "rate": "rate rates frequency",
    "rps": "rps qps tps throughput",
    "serve": (
        "serve serves served serving handle handles handled handling process processed "
        "get gets got getting receiving answered arrive arrives arrived arriving"
    ),
    "failed": "failed",
    "error": (
        "error errors err errs fail fails failing failure failures faults faulty erroring "
        "erring unsuccessful"
    ),
    "success": (
        "success successful successes successfully succeed succeeded succeeding ok healthy-ratio "
        "reliable reliability"
    ),
    "latency": "latency latencies delay delays lag duration durations responsiveness rtt",
    "response": "response responses respond responds responding reply replies",
    "time": "time times",
    "slow": "slow slower slowest slowness sluggish laggy laggiest",
    "fast": "fast faster fastest quick quicker quickest quickly",
    "code": "code codes",
    "average": "average avg averages averaged mean typical",
    "median": "median",
    "percentile": "percentile percentiles quantile quantiles pctl",
    "maximum": "max maximum maxima peak peaks peaked maximal",
    "minimum": "min minimum minima minimal trough",
    "worst": "worst",
    "most": (
        "most highest largest biggest greatest heaviest hungriest hottest busiest top "
        "longest fullest busier heavy heavier greediest hot"
    ),
    "bottom": "bottom shortest quietest lightest best lowest smallest least fewest",
    "closest": "closest nearest",
    "close": "close near nearing approaching nearly almost",
    "sum": "sum summed",
    "total": "total totals cumulative",
    "node": "node nodes host hosts machine machines vm vms instance instances worker-node ec2",
    "pod": "pod pods",
    "service": (
        "service services svc svcs app apps application applications microservice "
        "microservices workload workloads endpoint endpoints backend backends api apis"
    ),
    "deployment": "deployment deployments deploys statefulset statefulsets daemonset daemonsets",
    "namespace": "namespace namespaces ns namesapce project projects tenant tenants team teams",
    "container": "container containers",
    "hpa": (
        "hpa hpas autoscaler autoscalers autoscaling horizontalpodautoscaler "
        "horizontalpodautoscalers"
    ),
    "system": "system systems",
    "iowait": "iowait io-wait",
    "steal": "steal stolen",
    "cluster": (
        "cluster environment fleet everything everywhere overall combined altogether "
        "aggregate aggregated whole entire collectively together global globally "
        "cluster-wide clusterwide system-wide kubernetes-wide"
    ),
    "replica": "replica replicas scale scaled copies",
    "disk": "disk disks drive drives",
    "io": "io i/o",
    "busy": "busy loaded",
    "space": "storage filesystem filesystems fs volume volumes space",
    "load": "load loads",
    "pressure": "pressure pressured starved starving starvation",
    "ready": "ready readiness",
    "notready": "notready unready not-ready",
    "healthy": "healthy health",
    "unhealthy": "unhealthy sick broken down",
    "condition": "condition conditions",
    "status": "status state states phase phases",
    "running": "running run runs alive active up",
    "pending": "pending waiting unscheduled stuck",
    "phasefailed": "phasefailed",
    "desired": (
        "desired wanted requested-replicas spec target expected configured want wants should"
    ),
    "unavailable": "unavailable missing unreachable lack lacks lacking",
    "current": "current currently",
    "compare": (
        "compare compares compared comparing comparison versus vs against difference "
        "differ differs differences minus"
    ),
    "than": "than",
    "change": "change changes changed changing evolved evolve delta",
    "anomaly": (
        "anomaly anomalies anomalous unusual unusually strange strangely weirdly erratic "
        "erratically weird odd oddly oddities abnormal abnormally abnormality "
        "abnormalities outlier outliers suspicious irregular irregularities wrong "
        "misbehaving misbehave misbehaves unexpected unexpectedly spike spikes spiking "
        "spiked jump jumps jumped surge surges bad problem problems issue issues fishy "
        "acting behaving behave surprising crazy haywire insane nuts wacky funky peculiar bizarre "
        "uncommon atypical extraordinary exceptional glitch glitches glitchy hiccup hiccups blip "
        "blips unstable instability deviating deviation deviations deviate trouble"
    ),
    "predict": (
        "predict predicts predicted prediction predictions forecast forecasts forecasted "
        "project projected projection extrapolate extrapolated estimate estimated "
        "anticipate future"
    ),
    "will": "will gonna expect shall would",
    "when": "when eta soon",
    "until": "until till before",
    "reach": (
        "reach reaches reached reaching hit hitting exhaust exhausts exhausted exhausting "
        "exhaustion fill fills hits"
    ),
    "exceed": (
        "exceed exceeds exceeding exceeded surpass surpasses surpassing breach breaches "
        "breaching cross crosses crossing crossed"
    ),
    "over": "over above beyond past >",
    "atleast": "atleast >=",
    "atmost": "atmost <=",
    "below": "below under beneath <",
    "more": "more greater higher larger bigger longer heavier hotter",
    "less": "less fewer lower smaller shorter",
    "equal": "equal equals exactly only just",
    "rank": "rank ranks ranked ranking rankings sort sorted order ordered",
    "tail": "tail",
    "distribution": "distribution histogram heatmap",
    "budget": "budget budgets slo objective",
    "method": "method methods verb verbs",
    "per": (
        "per by each every grouped group split broken-down breakdown respective "
        "individual individually separately"
    ),
    "across": "across among amongst",
    "all": "all any",
    "which": "which who whose",
    "many": "many number count counts counted",
    "much": "much",
    "list": "list lists names enumerate",
    "exist": "exist exists existing there",
    "first": "first",
    "trend": (
        "trend trends trending history historical graph graphs graphed chart charts "
        "charted plot plots plotted timeline curve series timeseries evolution "
        "progression development developments"
    ),
    "now": "now",
    "ago": "ago earlier previously prior",
    "ascending": "ascending asc",
    "not": "not never cannot no isnt isn't aren't arent without non",
    "max-out": "maxed",
    "for": "for of on at from to with",
    "and": "and or plus",
    "second": "second seconds sec secs s /s",
    "minute": "minute minutes min",
    "millisecond": "ms millisecond milliseconds millis msec",
    "hour": "hour hours hr hrs",
    "day": "day days",
    "kib": "kib kibibytes ki",
    "mib": "mib mebibytes mebibyte mi megs meg",
    "gib": "gib gibibytes gibibyte gi gigs gig",
    "kb": "kb kilobytes kilobyte",
    "mb": "mb megabytes megabyte",
    "gb": "gb gigabytes gigabyte",
    "bits": "bit bits",
    "mbit": "mbit mbits mbps megabit megabits",
    "capacity": "capacity size allocatable",
    "act": (
        "delete deletes remove kill-pod terminate destroy drop create deploy rollback "
        "revert apply patch edit drain cordon uncordon approve reject execute install "
        "uninstall upgrade downgrade stop shutdown disable enable fix repair evacuate "
        "resize reset clear purge truncate insert alter"
    ),
    "why": "why cause causes caused reason reasons because root-cause explain",
    "window": "window interval resolution",
}

HARMLESS: Final = """
period periods hard heavily badly severely strongly strong weak weakly massively hungry thirsty
intensive costly expensive chatty a an the this that these those it its itself their them they he
she his her i me my mine we us our ours you your is are was were be been being am do does did doing
done has have had having can could may might must please kindly show shows showing give gives tell
tells display displays print fetch find finds see view look looks looking check checks checking
detect detects detecting detected identify spot highlight investigate inspect analyse analyze scan
search report reports reporting provide return returns query ask asking want wants need needs like
let lets know learn understand wonder wondering curious what whats where how hows if whether then so
too also really actually basically exactly about around roughly approximately approx some something
someone anything anyone anybody nothing none several various different own same other others another
as such than right present moment today latest recent recently lately still yet already ever never
always often usually far long high low big small large little lot lots bit quite very pretty
so-called level levels value values metric metrics measure measured measurement measurements figure
figures statistic statistics stats stat data datapoint datapoints point points info information
detail details result results overview summary summarize summarise quick current currently seen
observed recorded reported experienced experiencing experience encountered happen happens happened
happening occur occurs occurred occurring going go goes went come comes coming came stay stays keep
keeps kept stand stands stood make makes made making put puts hi hello hey thanks thank thx cheers
pls plz ok okay well yes good morning afternoon evening dear team mate guys folks within inside
through throughout during while between via onto upon off up both either neither one ones once twice
called named labelled labeled name known belonging belong belongs related associated corresponding
respective deployed hosted scheduled located living lives live sitting sits placed terms term regard
regarding respect concerning wise according kubernetes k8s eks aws amazon prometheus promql cadvisor
take takes taking took needed spend spends spent spending but however though although descending
ascending desc asc actual real amount amounts quantity kind type types part parts instead rather
develop develops developed developing move moves moved moving vary varies varied varying perform
performs performed performing performance behaviour behavior work works worked working operate
operates produce produces produced producing generate generates generated generating deal deals
reside resides sustain sustained maintain maintained allocate allocates allocated allocating assign
assigned demand demands demanding require requires required requiring draw draws drawing pull pulls
push pushes absorb claim carry carries carrying hold holds holding held accept accepts accepted
achieve achieved attain obtained obtain question questions answer assume suppose guess think believe
say says said bring brings happier sad nice great greatness worth worry worried worrying concerned
situation picture glance completely entirely mostly mainly largely partly generally normally
typically regularly immediately instantly rapidly steadily gradually suddenly brief briefly
shortly momentarily tonight overnight daytime hourly daily weekly minutely pair pairs couple set
sets bunch member members piece pieces item items entry entries object objects side sides end-to-end
front back upstream downstream sample samples able visible noticeable significant significantly
notable notably considerable considerably start starting started end ending ended begin beginning
began consistently constantly continuously permanently temporarily full fully simply simple basic
http https rest grpc client clients user users customer customers isn don doesn didn absolute
accurate add additional adjust aim allow alright announce anyway apart appear aside aware away basis
become bother calculate care case certain choose collect concise confirm consider consist contain
continue contribute convert correct count cover crunch decent decide deliver depend describe
determine difficult discover dominate easy effect else enjoy enough ensure especially essential even
eventual evident examine example excess exhibit explore extra extreme face fact familiar feel filter
final fine finish focus follow force frequent fresh gauge glad grab handy hence here hope huge idea
imagine important impressive include indicate initial inform interest intend involve join judge lack
lean leave listen lose loud lower main manage meanwhile mention mind miss moderate natural necessary
nobody normal note notice obvious offer open opposite ordinary particular pass pay peek people
perhaps pick plain plan play plenty possible potential precise prefer prepare presumable primary
probable proceed proper prove purpose quiet raise range rare raw reading realise recall reckon refer
reflect regular relate rely remark remember remind render represent reveal review rough save seek
seem select separate serious settle severe shape similar single skip slight smooth solid somewhat
soon sound specific spread squeeze stable stall steady stick straight stretch strike struggle sudden
suffer sufficient suggest suit sure suspect sweat tally tend terrible thus tiny together tough
toward towards track treat tremendous trigger true try turn typical ultimate unlike update usual
vast wait warm warn watch weigh wide wild wish witness yield bigger healthy-looking ongoing anywhere
further gimme lemme wanna gotta overly plainly sake respectively visualise visualize way ways manner
fashion sense snapshot dashboard panel diagram line lines visual output readings instant colleague
colleagues boss curiosity purposes sign signs hint hints evidence symptom symptoms kinds sort-of
kinda sorta whatever whichever wherever whenever nearby elsewhere therefore since due owing hitherto
thereof herein wishing hoping love appreciate helpful help helps helping assist assistance kindness
favor favour glimpse insight insights readout rundown recap digest status-wise extent degree degrees
flow flows flowing flowed pour pours pouring travel travels abound accompany accomplish adapt
adequate affect affected affects afford alike amid approximate arrange aspect aspects assess
assuming attempt attention await balance balanced barely behave boost bound broad build bulk calm
capture captured cast catch centre chance cheap choice clarify collected combine comfortable comment
commit common concerns conduct contrast convey cope course crawl critical crucial deduce deep deem
define depict derive deserve desire despite detailed diagnose dig distinct drastic eager ease
effective efficient effort emerge employ encounter engage establish estimate evaluate everyday
expose express extend extensive extract fairly following forth forward found function gather given
guide halfway hardly illustrate immense impact impacted impression inquire intense intensity
interested interesting introduce jointly keen kick latter lend likely matter matters minor mix
momentary monitor monitored monitoring nicely observe observing occasion occasional opinion organise
organize outline peculiarity perceive permit phrase position potentially presented presenting
promising proof proportional provided quote readily reasonable recommend reflected register
registered relevant revealed rich rush scenario seemingly shed short slightly somehow somewhere
standing step story strain strained stress stressed striking subject substantial supposed surely
tackle technical trust trying understanding undergo undergoes updated useful valuable variety verify
vital walk wherein wholly willing worthwhile
"""
